// A stand-in for the socket proxies that are written in Go: net/http/httputil's ReverseProxy in front of the socket, one
// regular expression a method, the default pool of connections, no log line for a call that is let through.
//
//	go-proxy SOCKET UNIX-LISTEN TCP-LISTEN
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: go-proxy SOCKET UNIX-LISTEN TCP-LISTEN")
	}
	socket := os.Args[1]
	allowed := map[string]*regexp.Regexp{
		"GET":  regexp.MustCompile(`^(/v[\d.]+)?/(_ping|version|info|events|containers/.*|images/.*|networks.*|volumes.*)$`),
		"POST": regexp.MustCompile(`^(/v[\d.]+)?/(containers/.*|images/.*|exec/.*|build)$`),
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport = &http.Transport{
		DialContext: func(_ context.Context, _, _ string) (net.Conn, error) { return net.Dial("unix", socket) },
	}
	server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, call *http.Request) {
		paths, known := allowed[call.Method]
		if !known || !paths.MatchString(call.URL.Path) {
			http.Error(answer, "forbidden", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(answer, call)
	})}
	os.Remove(os.Args[2])
	unix, err := net.Listen("unix", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	tcp, err := net.Listen("tcp", os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(server.Serve(unix)) }()
	log.Fatal(server.Serve(tcp))
}
