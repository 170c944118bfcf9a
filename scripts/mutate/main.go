// Command mutate measures what the tests of a package catch. It changes the
// package in one small place at a time, which is called a mutant, and runs the
// tests of the package: a mutant whose tests fail is dead, and one whose tests
// pass is alive and shows a fault that no test would catch.
//
//	go run ./scripts/mutate -n 100 -seed 1 ./voximplant ./auth
//
// The source tree is not touched, because go test reads the changed file as an overlay.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The verdicts on a mutant. One that does not compile is not counted.
const dead, alive, unusable = "dead", "alive", "does not compile"

func main() {
	log.SetFlags(0)
	most := flag.Int("n", 100, "try this many mutants of each package, chosen at random")
	seed := flag.Uint64("seed", 1, "choose the same mutants again")
	parallel := flag.Int("p", 2, "run this many tests side by side")
	timeout := flag.Duration("timeout", time.Minute, "a mutant whose tests take longer is dead")
	flag.Parse()
	for _, dir := range flag.Args() {
		mutants, err := mutantsOf(dir)
		if err != nil {
			log.Fatal(err)
		}
		if verdict, output := test(dir, nil, *timeout); verdict != alive {
			log.Fatalf("%s: the tests fail without a change:\n%s", dir, output)
		}
		rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
		counts := judge(dir, mutants, *most, *parallel, *timeout)
		fmt.Printf("%s: %d of %d mutants are dead, %d are alive\n", dir, counts[dead], counts[dead]+counts[alive], counts[alive])
	}
}

// judge tests mutants until enough of them compiled, and prints each verdict.
// Which mutants these are does not depend on how many are tested side by side.
func judge(dir string, mutants []mutant, most, parallel int, timeout time.Duration) map[string]int {
	counts := make(map[string]int)
	for len(mutants) > 0 && counts[dead]+counts[alive] < most {
		batch := mutants[:min(parallel, most-counts[dead]-counts[alive], len(mutants))]
		mutants = mutants[len(batch):]
		verdicts := make([]string, len(batch))
		var all sync.WaitGroup
		for i := range batch {
			all.Go(func() { verdicts[i], _ = test(dir, &batch[i], timeout) })
		}
		all.Wait()
		for i, verdict := range verdicts {
			counts[verdict]++
			if verdict != unusable {
				fmt.Printf("%s\t%v\t%.60q → %.60q\n", verdict, batch[i].at, batch[i].from, batch[i].to)
			}
		}
	}
	return counts
}

// test runs the tests of the package in dir, with m in place if it is not nil.
func test(dir string, m *mutant, timeout time.Duration) (verdict string, output []byte) {
	temp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	args := []string{"test", "-vet=off", "-failfast", "-ldflags=-s -w", "-timeout", timeout.String()}
	if m != nil {
		changed, overlay := filepath.Join(temp, "changed.go"), filepath.Join(temp, "overlay.json")
		original, err := filepath.Abs(m.at.Filename)
		replace := fmt.Appendf(nil, `{"Replace":{%q:%q}}`, original, changed)
		if err := errors.Join(err, os.WriteFile(changed, m.source, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
			log.Fatal(err)
		}
		args = append(args, "-overlay", overlay)
	}
	// The limit of go test does not count while it builds.
	ctx, cancel := context.WithTimeout(context.Background(), 5*timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	output, err = cmd.CombinedOutput()
	switch {
	case err == nil:
		return alive, output
	case bytes.Contains(output, []byte("[build failed]")):
		return unusable, output
	}
	return dead, output
}

// A mutant is a file with one change.
type mutant struct {
	at       token.Position
	from, to string
	source   []byte // the whole file, changed
}

// mutantsOf lists the mutants of the package in dir.
func mutantsOf(dir string) (mutants []mutant, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		replace := func(pos, end token.Pos, format string) {
			from, to := fset.Position(pos), fset.Position(end)
			old := string(source[from.Offset:to.Offset])
			text := fmt.Sprintf(format, old)
			if text == old {
				return
			}
			mutants = append(mutants, mutant{from, old, text, slices.Concat(source[:from.Offset], []byte(text), source[to.Offset:])})
		}
		ast.Inspect(file, func(n ast.Node) bool { return mutate(n, replace) })
	}
	return mutants, err
}

// opposites are the operators that stand in for each other.
var opposites = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*", token.LAND: "||", token.LOR: "&&",
}

// mutate calls replace for each change of n itself, and reports whether its
// parts may be changed too. The format of a change is given the old text, of
// which %.0s leaves nothing.
func mutate(n ast.Node, replace func(pos, end token.Pos, format string)) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.StructType:
		return false
	case *ast.BinaryExpr:
		if opposite, ok := opposites[n.Op]; ok {
			replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), "%.0s"+opposite)
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			replace(n.Pos(), n.End(), "(%s + 1)")
			replace(n.Pos(), n.End(), "(%s - 1)")
		}
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			replace(n.Pos(), n.End(), "%.0s")
		}
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt:
		replace(n.Pos(), n.End(), "%.0s")
	}
	conditions, results := expressions(n)
	for _, condition := range conditions {
		replace(condition.Pos(), condition.End(), "!(%s)")
	}
	for _, result := range results {
		replace(result.Pos(), result.End(), "%.0snil")
	}
	return true
}

// expressions returns the conditions and the returned results that stand in n
// itself. The values of a switch count as conditions: negated, they do not compile.
func expressions(n ast.Node) (conditions, results []ast.Expr) {
	switch n := n.(type) {
	case *ast.IfStmt:
		return []ast.Expr{n.Cond}, nil
	case *ast.CaseClause:
		return n.List, nil
	case *ast.ReturnStmt:
		return nil, n.Results
	}
	return nil, nil
}
