// Runs a Lua script as Argo CD does (argo-cd v3.6.1, util/lua/lua.go): the libraries package, base and table, the
// object as the global obj, an action's parameters as actionParams, one second.
// Reads {"script": ..., "obj": ..., "actionParams": ...} as JSON on stdin and prints what the script returns as JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type run struct {
	Script       string            `json:"script"`
	Obj          map[string]any    `json:"obj"`
	ActionParams map[string]string `json:"actionParams"`
}

func main() {
	log.SetFlags(0)
	var given run
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		log.Fatal(err)
	}
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for _, open := range []lua.LGFunction{lua.OpenPackage, lua.OpenBase, lua.OpenTable} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}); err != nil {
			log.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	parameters := l.NewTable()
	for name, value := range given.ActionParams {
		parameters.RawSetString(name, lua.LString(value))
	}
	l.SetGlobal("actionParams", parameters)
	l.SetGlobal("obj", luajson.DecodeValue(l, given.Obj))
	if err := l.DoString(given.Script); err != nil {
		log.Fatal(err)
	}
	result, err := luajson.Encode(l.Get(-1))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(result); err != nil {
		log.Fatal(err)
	}
}
