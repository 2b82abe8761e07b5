package store

import (
	"errors"
	"os"
	"syscall"
)

// flush leaves out the times of the file, as fdatasync(2) does: all that is needed
// to read the data again is written, and nothing else.
func flush(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
