package main

import (
	"bytes"
	"encoding/json"
	"io"
)

// The types follow moby's api/types/container closely enough to show how Go reads their fields: pointers, maps, slices of
// structs, embedded structs, strings, booleans and 64-bit integers.
// Config, HostConfig and NetworkingConfig are exported because encoding/json sets embedded pointers of exported types only.
type Config struct {
	Hostname     string
	User         string
	Tty          bool
	OpenStdin    bool
	Env          []string
	Cmd          []string
	Entrypoint   []string
	Image        string
	WorkingDir   string
	Volumes      map[string]struct{}
	ExposedPorts map[string]struct{}
	Labels       map[string]string
	StopTimeout  *int
}

type HostConfig struct {
	Binds           []string
	ContainerIDFile string
	LogConfig       struct {
		Type   string
		Config map[string]string
	}
	NetworkMode   string
	PortBindings  map[string][]struct{ HostIP, HostPort string }
	RestartPolicy struct {
		Name              string
		MaximumRetryCount int
	}
	AutoRemove     bool
	VolumesFrom    []string
	CapAdd         []string
	CapDrop        []string
	CgroupnsMode   string
	IpcMode        string
	PidMode        string
	Privileged     bool
	SecurityOpt    []string
	Tmpfs          map[string]string
	UTSMode        string
	UsernsMode     string
	ShmSize        int64
	Sysctls        map[string]string
	Runtime        string
	Memory         int64
	NanoCpus       int64
	CgroupParent   string
	Devices        []struct{ PathOnHost, PathInContainer, CgroupPermissions string }
	PidsLimit      *int64
	OomKillDisable *bool
	Init           *bool
	Mounts         []struct {
		Type          string
		Source        string
		Target        string
		ReadOnly      bool
		BindOptions   *struct{ Propagation string }
		VolumeOptions *struct {
			NoCopy       bool
			Labels       map[string]string
			DriverConfig *struct {
				Name    string
				Options map[string]string
			}
		}
	}
	MaskedPaths   []string
	ReadonlyPaths []string
}

type NetworkingConfig struct {
	EndpointsConfig map[string]*struct {
		Aliases    []string
		IPAMConfig *struct{ IPv4Address string }
		DriverOpts map[string]string
	}
}

// Engines up to 26.1 also take fields of HostConfig from the top level, by embedding.
type legacyCreate struct {
	*Config
	InnerHostConfig *HostConfig `json:"HostConfig,omitempty"`
	Cpuset          string      `json:",omitempty"`
	*NetworkingConfig
	*HostConfig
}

type create struct {
	*Config
	HostConfig       *HostConfig
	NetworkingConfig *NetworkingConfig
}

type decoded struct {
	Value any    `json:"value"`
	Error string `json:"error"`
}

type document struct {
	// The first value of the document, numbers kept as they were written.
	Any    decoded `json:"any"`
	Create decoded `json:"create"`
	Legacy decoded `json:"legacy"`
	// What else stands in the document behind the first value, white space aside; engines up to 20.10 do not look.
	Trailing bool `json:"trailing"`
	Valid    bool `json:"valid"`
}

func judgeJSON(message []byte) any {
	var anything any
	decoder := json.NewDecoder(bytes.NewReader(message))
	decoder.UseNumber()
	err := decoder.Decode(&anything)
	result := document{Any: decoded{anything, errorText(err)}, Valid: json.Valid(message)}
	if err == nil {
		_, err = decoder.Token()
		result.Trailing = err != io.EOF
	}
	result.Create = decode(message, &create{})
	result.Legacy = decode(message, &legacyCreate{})
	return result
}

func decode(message []byte, into any) decoded {
	err := json.NewDecoder(bytes.NewReader(message)).Decode(into)
	if err != nil {
		return decoded{nil, err.Error()}
	}
	return decoded{into, ""}
}
