package outbound

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// special are the networks that do not lead to a public host, from the registries
// of special-purpose addresses (IANA, RFC 6890 and its updates).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20",
)

// unicast is the only part of IPv6 with public hosts (RFC 4291 section 2.4).
var unicast = netip.MustParsePrefix("2000::/3")

// trusting are single services that answer whoever asks with credentials. Their
// networks are special or, in one case, public; a wider prefix that happens to
// hold them is not meant for them.
var trusting = prefixes(
	"169.254.0.0/16", "fe80::/10", // link-local: the metadata services of most clouds
	"fd00:ec2::/32", "fd20:ce::/64", // the same by IPv6
	"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
)

// Networks that carry an IPv4 address inside: it is checked in place of them.
var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	mapped  = netip.MustParsePrefix("::ffff:0:0/96")
	inIPv4s = netip.MustParsePrefix("::/96") // RFC 4291 section 2.5.5.1, deprecated
)

// inner gives the IPv4 address that an IPv6 address leads to.
func inner(a netip.Addr) (netip.Addr, bool) {
	if a.Is4() {
		return a, false
	}
	b := a.As16()
	switch {
	case mapped.Contains(a), nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixTo4.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case inIPv4s.Contains(a) && binary.BigEndian.Uint32(b[12:]) > 1: // neither :: nor ::1
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return a, false
}

// CheckAddress refuses an address that is neither public nor allowed.
func (g *Guard) CheckAddress(a netip.Addr) error {
	if a.Zone() != "" || !a.IsValid() {
		return ErrRefused
	}
	a, embedded := inner(a.Unmap())
	within := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	switch {
	case within(trusting):
		if !slices.Contains(g.Allow, netip.PrefixFrom(a, a.BitLen())) {
			return ErrRefused
		}
		return nil
	case a.IsLoopback() && g.Loopback && !embedded, within(g.Allow):
		return nil
	case within(special), a.Is6() && !unicast.Contains(a):
		return ErrRefused
	}
	return nil
}

// metadata are names by which clouds hand out credentials.
var metadata = []string{"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}

// checkHost refuses a host by its spelling. What could be read as an address in
// one of the old ways (0x7f.1, 2130706433, 0177.0.0.1) is refused as it is: who
// resolves it may read it differently.
func (g *Guard) checkHost(scheme, host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	local := name == "localhost" || strings.HasSuffix(name, ".localhost")
	if a, err := netip.ParseAddr(name); err == nil {
		if err := g.CheckAddress(a); err != nil {
			return refusedHost
		}
		local = a.Unmap().IsLoopback()
	} else if numeric(name) || !nameLike(name) || slices.Contains(metadata, name) {
		return refusedHost
	}
	switch {
	case local && !g.allowsLoopback():
		return refusedHost
	case scheme == "http" && !local:
		return ErrRefused.Saying("the URL is refused: it must begin with https://")
	}
	return nil
}

var refusedHost = ErrRefused.Saying("the URL is refused: its host is not public, or not spelled as a name or address")

func (g *Guard) allowsLoopback() bool {
	return g.Loopback || g.CheckAddress(netip.MustParseAddr("127.0.0.1")) == nil || g.CheckAddress(netip.IPv6Loopback()) == nil
}

// numeric reports whether the last label is a number, in which case a host is an
// address and no name (WHATWG URL Standard, section 3.5).
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// nameLike reports whether a host is a name of letters, digits, dashes and dots.
// Names of other scripts come in their ASCII form.
func nameLike(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
