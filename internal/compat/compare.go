package compat

import (
	"fmt"
	"slices"
)

// A Dialect is a vendor's list and what is served of it.
type Dialect struct {
	Folder  string // below internal/dialect
	Title   string
	List    string
	Routes  []Route
	Methods []string // gRPC method paths with an implementation
}

// A Route is an HTTP route with an implementation.
type Route struct {
	Operation string // its name in the list; "" when the dialect gives it none
	Method    string
	Path      string
}

// A Comparison is a list with what of it is implemented.
type Comparison struct {
	Dialect
	Operations []Operation
	http, rpc  map[string]bool // by name of the operation
	// Unlisted are routes and methods that the list does not know, or knows by another name.
	Unlisted []string
}

// Compare matches what a dialect serves with its list.
func Compare(d Dialect) (*Comparison, error) {
	operations, err := parse(d.List)
	if err != nil {
		return nil, fmt.Errorf("operations of %s: %w", d.Folder, err)
	}
	c := &Comparison{Dialect: d, Operations: operations, http: map[string]bool{}, rpc: map[string]bool{}}
	byRoute, byMethod := map[string]Operation{}, map[string][]Operation{}
	for _, o := range operations {
		if o.Method != methodRPC {
			byRoute[o.key()] = o
		}
		if o.RPC != "" {
			byMethod[o.RPC] = append(byMethod[o.RPC], o)
		}
	}
	for _, r := range d.Routes {
		o, ok := byRoute[routeKey(r.Method, r.Path)]
		switch {
		case !ok && r.Method == "OPTIONS": // what browsers ask is no operation
		case !ok:
			c.Unlisted = append(c.Unlisted, fmt.Sprintf("%s %s (%s) is not in the list", r.Method, r.Path, r.Operation))
		case r.Operation != "" && r.Operation != o.Name && r.Operation != o.Base():
			c.Unlisted = append(c.Unlisted, fmt.Sprintf("%s %s is %s in the list, not %s", r.Method, r.Path, o.Name, r.Operation))
		default:
			c.http[o.Name] = true
		}
	}
	for _, m := range d.Methods {
		if byMethod[m] == nil {
			c.Unlisted = append(c.Unlisted, m+" is not in the list")
		}
		for _, o := range byMethod[m] {
			c.rpc[o.Name] = true
		}
	}
	return c, nil
}

// Implemented reports whether the operation is served in each way the vendor offers it.
func (c *Comparison) Implemented(o Operation) bool {
	return (o.RPC == "" || c.rpc[o.Name]) && (o.Method == methodRPC || c.http[o.Name])
}

// Names lists what is implemented, aliases included, as dialect/operation.
func (c *Comparison) Names() []string {
	var names []string
	for _, o := range c.Operations {
		if c.Implemented(o) {
			names = append(names, c.Folder+"/"+o.Name)
		}
	}
	slices.Sort(names)
	return names
}

// A Figure is how many of how many.
type Figure struct{ Have, Of int }

func (f Figure) String() string {
	if f.Of == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d", f.Have, f.Of)
}

// count counts the operations that match, by the given idea of being there.
func (c *Comparison) count(there func(Operation) bool, match func(Operation) bool) (f Figure) {
	for _, o := range c.Operations {
		if match(o) {
			f.Of++
			if there(o) {
				f.Have++
			}
		}
	}
	return f
}

// families lists the families, those with the most wanted operations first.
func (c *Comparison) families() []string {
	var names []string
	weight := map[string][3]int{}
	for _, o := range c.Operations {
		if o.Alias() {
			continue
		}
		if !slices.Contains(names, o.Family) {
			names = append(names, o.Family)
		}
		w := weight[o.Family]
		w[slices.Index(tiers, o.Tier)]++
		weight[o.Family] = w
	}
	slices.SortStableFunc(names, func(a, b string) int {
		wa, wb := weight[a], weight[b]
		return slices.Compare(wb[:], wa[:])
	})
	return names
}
