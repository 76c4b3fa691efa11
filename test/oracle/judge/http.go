package main

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"
)

type request struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Proto   string      `json:"proto"`
	Host    string      `json:"host"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

type connection struct {
	// Requests whose bodies were read whole, in order.
	Requests []request `json:"requests"`
	// Why the body of the request behind them was not.
	BodyError string `json:"bodyError"`
	// What the server wrote, for its refusals.
	Written string `json:"written"`
}

// pipe is one connection whose other side has said everything already.
type pipe struct {
	in     *bytes.Reader
	mutex  sync.Mutex
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
	seen   connection
}

type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "pipe" }

func (p *pipe) Read(b []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.in.Read(b)
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.out.Write(b)
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) LocalAddr() net.Addr              { return address{} }
func (p *pipe) RemoteAddr() net.Addr             { return address{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// listener hands one connection to the server.
type listener struct{ conns chan net.Conn }

func (l listener) Accept() (net.Conn, error) {
	conn, open := <-l.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return address{} }

func judgeRequests(message []byte) any {
	p := &pipe{in: bytes.NewReader(message), closed: make(chan struct{})}
	server := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				p.seen.BodyError = err.Error()
				panic(http.ErrAbortHandler)
			}
			p.seen.Requests = append(p.seen.Requests, request{
				Method: r.Method, Target: latin1(r.RequestURI), Proto: r.Proto, Host: latin1(r.Host),
				Headers: flatten(r.Header), Body: latin1(string(body)),
			})
			w.WriteHeader(200)
		}),
	}
	l := listener{conns: make(chan net.Conn, 1)}
	l.conns <- p
	close(l.conns)
	_ = server.Serve(l)
	<-p.closed
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.seen.Written = latin1(p.out.String())
	if p.seen.Requests == nil {
		p.seen.Requests = []request{}
	}
	return p.seen
}

// flatten gives the fields with lower-case names, sorted by name; those of one name in their order.
func flatten(header http.Header) [][2]string {
	fields := [][2]string{}
	names := []string{}
	for name := range header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range header[name] {
			fields = append(fields, [2]string{strings.ToLower(name), latin1(value)})
		}
	}
	sort.SliceStable(fields, func(i, j int) bool { return fields[i][0] < fields[j][0] })
	return fields
}

type answer struct {
	Status    int         `json:"status"`
	Reason    string      `json:"reason"`
	Headers   [][2]string `json:"headers"`
	Body      string      `json:"body"`
	Close     bool        `json:"close"`
	Rest      string      `json:"rest"`
	Error     string      `json:"error"`
	BodyError string      `json:"bodyError"`
}

func judgeAnswer(message []byte) any {
	method, rest, _ := strings.Cut(string(message), "\n")
	reader := bufio.NewReader(strings.NewReader(rest))
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return answer{Headers: [][2]string{}, Error: err.Error()}
	}
	body, err := io.ReadAll(response.Body)
	left, _ := io.ReadAll(reader)
	return answer{
		Status: response.StatusCode, Reason: latin1(response.Status), Headers: flatten(response.Header),
		Body: latin1(string(body)), Close: response.Close, Rest: latin1(string(left)), BodyError: errorText(err),
	}
}
