// Command generate writes docs/compatibility.md and docs/compatibility-implemented.txt anew. It runs in internal/compat.
package main

import (
	"log"

	"guildhall/internal/compat"
)

func main() {
	if err := compat.Write("../.."); err != nil {
		log.Fatal(err)
	}
}
