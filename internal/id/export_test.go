package id

// Base62Parts gives what Base62 spells, for comparing with other arithmetic.
func Base62Parts(c Codec, i ID) (tag, body uint64) {
	tag = c.tag(i) & base62Mask
	return tag, c.body(i, tag)
}
