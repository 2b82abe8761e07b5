package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"guildhall/internal/archive"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/store/storetest"
)

// mostMemory is what the reading of the small archives here may allocate in all, whatever they claim to hold.
const mostMemory = 64 << 20

// allocated gives the bytes that f allocates, whether they are free again or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A kindOfLines is what an archive holds of one kind.
type kindOfLines struct {
	name  string
	lines [][]byte
}

// A rack holds a whole archive apart.
type rack struct {
	head  archive.Head
	kinds []kindOfLines
}

func (r *rack) Head(h archive.Head) error { r.head = h; return nil }

func (r *rack) Line(kind string, _ int, text []byte) error {
	if n := len(r.kinds); n == 0 || r.kinds[n-1].name != kind {
		r.kinds = append(r.kinds, kindOfLines{name: kind})
	}
	k := &r.kinds[len(r.kinds)-1]
	k.lines = append(k.lines, bytes.Clone(text))
	return nil
}

func (r *rack) clone() *rack {
	c := &rack{head: r.head}
	for _, k := range r.kinds {
		c.kinds = append(c.kinds, kindOfLines{k.name, slices.Clone(k.lines)})
	}
	return c
}

// tar packs a rack with a manifest that is true of it, or with another.
func (r *rack) tar(manifest []byte) []byte {
	var packed bytes.Buffer
	w := archive.NewWriter(&packed)
	err := w.Head(r.head)
	for _, k := range r.kinds {
		if err == nil {
			err = w.Kind(k.name)
		}
		for _, line := range k.lines {
			if err == nil {
				err = w.Line(line)
			}
		}
	}
	if _, closed := w.Close(); err != nil || closed != nil {
		panic(fmt.Sprint(err, closed)) // it writes to memory, and no line of these is long
	}
	zip, err := gzip.NewReader(&packed)
	if err != nil {
		panic(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		panic(err)
	}
	if manifest == nil {
		return plain
	}
	at := bytes.Index(plain, []byte("manifest.json\x00"))
	end := at + 512 + len(manifest)
	if padded := (len(manifest) + 511) / 512 * 512; at+512+padded+1024 != len(plain) {
		return plain // the true one takes other blocks than this one
	}
	resized(plain[at:at+512], int64(len(manifest)))
	copy(plain[at+512:], manifest)
	clear(plain[end : len(plain)-1024])
	return plain
}

// resized writes a size into a header of a tar, and the checksum that it has then.
func resized(block []byte, size int64) {
	copy(block[124:136], fmt.Sprintf("%011o\x00", size))
	summed(block)
}

func summed(block []byte) {
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// snippets are put into lines, for what flipped bytes would need too long to come to.
var snippets = []string{
	`\u0000`, "\x00", "\xff", "\n", "null", "1e999", "-1", "9223372036854775808", `"id":"1",`, `{"a":`, strings.Repeat("[", 20000), strings.Repeat(`{"a":`, 2000),
	strings.Repeat("9", 5000), `"8"`, `"$argon2id$v=19$m=4194304,t=90,p=1$AAAA$AAAA"`, `"2999-01-01T00:00:00Z"`, `"` + strings.Repeat("é", 5000) + `"`, "\r\n", "\ufeff", "}{",
}

// A step of the damage to an archive: what is done, and where.
type step struct {
	what, where, how int
}

// steps reads a text as damage: four bytes for each step.
func steps(text []byte) (all []step) {
	for len(text) >= 4 && len(all) < 12 {
		all = append(all, step{int(text[0]), int(text[1])<<8 | int(text[2]), int(text[3])})
		text = text[4:]
	}
	return all
}

const stepKinds = 16

// line damages one line: a byte flipped, the line gone, twice, elsewhere, cut, or with a snippet in it.
func (s step) line(r *rack) {
	k := &r.kinds[s.where%len(r.kinds)]
	if len(k.lines) == 0 {
		return
	}
	at := s.how % len(k.lines)
	line := bytes.Clone(k.lines[at])
	place := s.where % (len(line) + 1)
	switch s.what % stepKinds {
	case 0:
		if place < len(line) {
			line[place] ^= 1 << (s.how % 8)
		}
	case 1:
		k.lines = slices.Delete(k.lines, at, at+1)
		return
	case 2:
		k.lines = slices.Insert(k.lines, at, line)
		return
	case 3:
		other := &r.kinds[s.how%len(r.kinds)]
		other.lines = append(other.lines, line)
		return
	case 4:
		line = line[:place]
	case 5:
		line = slices.Insert(line, place, []byte(snippets[s.how%len(snippets)])...)
	case 6: // in place of a value
		if colon := bytes.IndexByte(line[place:], ':'); colon >= 0 {
			from := place + colon + 1
			to := from + 1 + max(0, bytes.IndexAny(line[min(from+1, len(line)):], ",}"))
			line = slices.Concat(line[:from], []byte(snippets[s.how%len(snippets)]), line[min(to, len(line)):])
		}
	}
	k.lines[at] = line
}

// packed damages a tar: bytes, blocks, and headers whose checksum is right.
func (s step) packed(b []byte) []byte {
	if len(b) < 1024 {
		return b
	}
	block := s.where % (len(b) / 512) * 512
	switch s.what % stepKinds {
	case 7:
		b[s.where*7%len(b)] ^= 1 << (s.how % 8)
	case 8:
		b = b[:s.where*7%len(b)]
	case 9:
		b = slices.Insert(b, block, bytes.Clone(b[block:block+512])...)
	case 10:
		b = slices.Delete(b, block, block+512)
	case 11: // what is no header stays a block of something
		resized(b[block:block+512], []int64{0, 1, 511, 1 << 20, 4 << 20, 1 << 32, 1<<33 - 1}[s.how%7])
	case 12:
		b[block+156] = []byte("0123456789xgLKSVDNM\x00")[s.how%20]
		summed(b[block : block+512])
	}
	return b
}

// stored damages the file as it is stored.
func (s step) stored(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	at := s.where * 3 % len(b)
	switch s.what % stepKinds {
	case 13:
		b[at] ^= 1 << (s.how % 8)
	case 14:
		b = b[:at]
	case 15:
		b = append(b, b[at:]...)
	}
	return b
}

// damaged gives an archive with all of the damage. Lie keeps the manifest of the whole one; a lock encrypts, and what
// is stored is damaged behind it.
func damaged(whole *rack, manifest []byte, lock age.Recipient, damage []step) []byte {
	r := whole.clone()
	for _, s := range damage {
		if s.what%stepKinds < 7 {
			s.line(r)
		}
	}
	plain := r.tar(manifest)
	for _, s := range damage {
		plain = s.packed(plain)
	}
	var out bytes.Buffer
	var sealed io.WriteCloser
	var to io.Writer = &out
	if lock != nil {
		var err error
		if sealed, err = age.Encrypt(&out, lock); err != nil {
			panic(err)
		}
		to = sealed
	}
	zip := gzip.NewWriter(to)
	_, err := zip.Write(plain)
	if closed := zip.Close(); err != nil || closed != nil {
		panic(fmt.Sprint(err, closed))
	}
	if sealed != nil {
		if err := sealed.Close(); err != nil {
			panic(err)
		}
	}
	b := out.Bytes()
	for _, s := range damage {
		b = s.stored(b)
	}
	return b
}

// FuzzDamagedArchives imports an archive with one of everything after damage of all sorts, below its hashes and above
// them. Whatever comes: nobody panics, little memory is used, the failure is the fault of the archive, and unless all
// of it is imported nothing is written. What is imported can be erased again without a rest.
func FuzzDamagedArchives(f *testing.F) {
	from, to := storetest.Open(f, storetest.Folder(f)), storetest.Open(f, storetest.Folder(f))
	e := settle(f, from)
	file, _ := export(f, from, e.organization.ID, archive.ExportOptions{Credentials: true})
	whole := &rack{}
	if _, err := archive.Read(bytes.NewReader(file), archive.Limits{}, whole); err != nil {
		f.Fatal(err)
	}
	m, err := archive.Read(bytes.NewReader(damaged(whole, nil, nil, nil)), archive.Limits{}, &lines{}) // it lists no kinds without lines
	if err != nil {
		f.Fatal(err)
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		f.Fatal(err)
	}
	manifest = append(manifest, '\n')
	lock, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	key := archive.Key{Identities: lock.String()}
	f.Add(uint8(0), []byte{})
	for how := range stepKinds {
		for lie := range uint8(4) {
			f.Add(lie, []byte{byte(how), 0, byte(how * 5), byte(how)})
		}
	}
	f.Fuzz(func(t *testing.T, mode uint8, damage []byte) {
		told, recipient := manifest, age.Recipient(nil)
		if mode&1 == 0 {
			told = nil
		}
		if mode&2 != 0 {
			recipient = lock.Recipient()
		}
		data := damaged(whole, told, recipient, steps(damage))
		if recipient == nil {
			if n := allocated(func() { _, _ = archive.Read(bytes.NewReader(data), archive.Limits{}, &lines{}) }); n > mostMemory {
				t.Errorf("%d bytes were allocated to read %d", n, len(data))
			}
		}
		rows, where := to.Of(t, to.Realm.ID)
		report, err := service(to).Import(ctx, to.System, bytes.NewReader(data), key, archive.ImportOptions{Credentials: true, Anew: true})
		if err != nil {
			if kind := fault.From(err).Kind; kind == fault.Internal || kind == fault.Exhausted {
				t.Errorf("it fails by %v", err)
			}
			if after, now := to.Of(t, to.Realm.ID); after != rows {
				t.Errorf("%v, and still it wrote: %v, before %v", err, now, where)
			}
			return
		}
		to.Delete(t, report.Organization, erasure.Erase)
		to.Purge(t, 1000)
		to.Scan(t)
	})
}

// TestT_P05_AManifestThatIsAllBracketsTakesLittleMemory has a small file become a large list.
func TestT_P05_AManifestThatIsAllBracketsTakesLittleMemory(t *testing.T) {
	head, err := json.Marshal(archive.Head{Format: archive.Format, Schema: 1, Realm: 1, Organization: 7})
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]tar.Header{
		"manifest": {file("guildhall.json", string(head)), file("manifest.json", `{"kinds":[{}`+strings.Repeat(",{}", 1<<20-8)+`]}`)},
		"head":     {file("guildhall.json", `{"name":"`+strings.Repeat("x", 2<<20)+`"}`)},
	} {
		data := packed(t, files...)
		if n := allocated(func() { refused(t, name, data) }); n > mostMemory {
			t.Errorf("the %s: %d bytes were allocated to read %d", name, n, len(data))
		}
	}
}
