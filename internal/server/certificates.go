package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificates gives the TLS configuration: the operator's certificate, or a
// leaf of the development CA.
func (s *Server) certificates() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if s.TLSCert != "" {
		c, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("read the certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{c}
		return config, nil
	}
	c, err := developmentCertificate(filepath.Join(s.Data, "dev"))
	if err != nil {
		return nil, fmt.Errorf("make the development certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{c}
	return config, nil
}

func (s *Server) caPath() string {
	path, err := filepath.Abs(filepath.Join(s.Data, "dev", "ca.pem"))
	if err != nil || s.ListenTLS == "" {
		return ""
	}
	return path
}

// developmentCertificate gives a leaf for this machine's own names, signed by a
// CA that is made once and kept, so that clients trust it across restarts.
func developmentCertificate(folder string) (tls.Certificate, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return tls.Certificate{}, err
	}
	ca, caKey, err := developmentCA(folder)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := template("Guildhall development server")
	leaf.NotAfter = time.Now().AddDate(1, 0, 0) // some clients refuse longer lives
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	return tls.Certificate{Certificate: [][]byte{der, ca.Raw}, PrivateKey: key}, err
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(time.Now().UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Guildhall development"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), BasicConstraintsValid: true,
	}
}

func developmentCA(folder string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPath, keyPath := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "ca.key")
	ca, key, err := readCA(certPath, keyPath)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return ca, key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	t := template("Guildhall development CA")
	t.IsCA, t.KeyUsage, t.MaxPathLenZero = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, true
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(keyPath, "PRIVATE KEY", private, 0o600); err != nil {
		return nil, nil, err
	}
	if err := writePEM(certPath, "CERTIFICATE", der, 0o644); err != nil {
		return nil, nil, err
	}
	return readCA(certPath, keyPath)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func readCA(certPath, keyPath string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s holds no ECDSA key; remove the folder to have a new CA made", keyPath)
	}
	return ca, key, nil
}
