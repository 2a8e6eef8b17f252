// Drives a server with the official Go SDKs: conformance PROGRAM.
//
// A program runs its scenarios one after the other and prints a line for each, "ok - NAME" or "not ok - NAME", with what
// went wrong below it in lines that begin with "#". The exit code is 1 when one failed.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

const timeMax = 60 * time.Second

var programs = map[string]func(){
	"blob":                       blobs,
	"queue":                      queues,
	"table":                      tables,
	"service_bus_administration": serviceBusAdministration,
	"service_bus_queues":         serviceBusQueues,
	"service_bus_sessions":       serviceBusSessions,
	"service_bus_topics":         serviceBusTopics,
	"service_bus_transports":     serviceBusTransports,
}

var failed bool

func main() {
	programs[os.Args[1]]()
	if failed {
		os.Exit(1)
	}
}

// failure is what a scenario panics with where something is not as it must be.
type failure struct{ text string }

func scenario(name string, body func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), timeMax)
	defer cancel()
	done := make(chan string, 1)
	go func() {
		defer func() {
			if wrong := recover(); wrong != nil {
				done <- fmt.Sprintf("%v\n%s", wrong, debug.Stack())
			}
		}()
		body(ctx)
		done <- ""
	}()
	wrong := ""
	select {
	case wrong = <-done:
	case <-time.After(timeMax + time.Second):
		wrong = fmt.Sprintf("not done after %v", timeMax)
	}
	if wrong == "" {
		fmt.Printf("ok - %s\n", name)
		return
	}
	failed = true
	fmt.Printf("not ok - %s\n# %s\n", name, strings.ReplaceAll(wrong, "\n", "\n# "))
}

func (f failure) String() string { return f.text }

func fail(format string, values ...any) {
	panic(failure{fmt.Sprintf(format, values...)})
}

// try fails a scenario where an error is.
func try(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// must fails a scenario where an error is, and returns the value otherwise.
func must[T any](value T, err error) T {
	try(err)
	return value
}

func check(holds bool, otherwise string) {
	if !holds {
		fail("%s", otherwise)
	}
}

func equal[T any](expected, actual T) {
	if !reflect.DeepEqual(expected, actual) {
		fail("expected %#v, got %#v", expected, actual)
	}
}

func to[T any](value T) *T { return &value }
