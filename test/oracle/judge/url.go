package main

import (
	"net/url"
	"path"
)

type target struct {
	// The decoded path, as handlers see it.
	Path string `json:"path"`
	// The path as it would be printed.
	EscapedPath string `json:"escapedPath"`
	// What gorilla/mux compares the path with, to redirect what is not clean.
	CleanPath string              `json:"cleanPath"`
	Host      string              `json:"host"`
	RawQuery  string              `json:"rawQuery"`
	Query     map[string][]string `json:"query"`
	// A target that net/http refuses.
	Error string `json:"error"`
	// A query that ParseForm refuses; url.Query() gives what could be read all the same.
	QueryError string `json:"queryError"`
}

func judgeURL(message []byte) any {
	parsed, err := url.ParseRequestURI(string(message))
	if err != nil {
		return target{Error: err.Error(), Query: map[string][]string{}}
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	return target{
		Path: parsed.Path, EscapedPath: parsed.EscapedPath(), CleanPath: cleanPath(parsed.Path), Host: parsed.Host,
		RawQuery: parsed.RawQuery, Query: query, QueryError: errorText(err),
	}
}

// cleanPath is gorilla/mux's: a trailing slash stays.
func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	if p[0] != '/' {
		p = "/" + p
	}
	clean := path.Clean(p)
	if p[len(p)-1] == '/' && clean != "/" {
		clean += "/"
	}
	return clean
}
