// Prints the status that kstatus computes of each object in a JSON list on stdin, as a JSON list in the same order.
// Helm 4, Flux and kubectl's cli-utils judge custom resources by it.
package main

import (
	"encoding/json"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	var objects []unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatal(err)
	}
	verdicts := make([]verdict, len(objects))
	for i := range objects {
		result, err := status.Compute(&objects[i])
		if err != nil {
			log.Fatalf("object %d: %v", i, err)
		}
		verdicts[i] = verdict{result.Status.String(), result.Message}
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
