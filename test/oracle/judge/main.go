// Judge says what Go's standard library understands: the engine is written in Go, so what it reads is what counts.
//
// Usage: judge MODE, with messages on standard input, each after its length in four bytes (big-endian). One line of JSON
// answers each. Bytes are told as text with one character a byte (latin1), but for the modes json and url.
//
//	http    the requests that net/http's server reads from one connection
//	answer  the answer that net/http's client reads; the message begins with the request's method and a line feed
//	url     a request target by net/url, its query by url.ParseQuery
//	json    a document by encoding/json, into any and into structs such as dockerd has for a container's creation
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	modes := map[string]func([]byte) any{"http": judgeRequests, "answer": judgeAnswer, "url": judgeURL, "json": judgeJSON}
	if len(os.Args) != 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: judge http|answer|url|json")
		os.Exit(2)
	}
	judge := modes[os.Args[1]]
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		message := make([]byte, length)
		if _, err := io.ReadFull(in, message); err != nil {
			panic(err)
		}
		if err := encoder.Encode(judge(message)); err != nil {
			panic(err)
		}
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}

// latin1 tells bytes as text, one character a byte: JSON has no other way to hold what is not UTF-8.
func latin1(bytes string) string {
	runes := make([]rune, len(bytes))
	for i := 0; i < len(bytes); i++ {
		runes[i] = rune(bytes[i])
	}
	return string(runes)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
