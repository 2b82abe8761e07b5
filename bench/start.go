package main

import (
	"os"
	"time"
)

// A startReport is what a server needs that has nothing to do yet.
type startReport struct {
	took []time.Duration
	cpu  []time.Duration // used until the first answer
	idle footprint
}

// starts starts the server several times on existing data.
func (b *bench) starts(e engine, token string) (r startReport, err error) {
	for n := range b.starting {
		took, t, err := timeStart(b.binary, e, token)
		if err != nil {
			return r, err
		}
		r.took, r.cpu = append(r.took, took), append(r.cpu, t.cpu())
		if n == b.starting-1 {
			time.Sleep(3 * time.Second)
			if r.idle, err = t.memory(); err != nil {
				return r, err
			}
		}
		if err := t.stop(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// binarySize is the size of the stripped program.
func binarySize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
