package store

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
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

// tcpUserTimeout is TCP_USER_TIMEOUT (tcp(7)), which package syscall lacks.
const tcpUserTimeout = 0x12

// abandon ends a connection whose peer takes longer to acknowledge what was sent.
func abandon(conn *net.TCPConn, after time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(after.Milliseconds()))
	})
	return errors.Join(err, os.NewSyscallError("setsockopt", failed))
}
