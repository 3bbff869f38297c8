package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/status"
)

const topUsage = `kafka-firehose top shows what members do now: streams, lag and what keeps records back. On a
terminal it is live; elsewhere it prints once and ends.

  kafka-firehose top [-addr host:port]... [-interval 2s] [-once]

-addr may be given several times; a name with several addresses, as that of a headless Service,
stands for all of them. The default is HTTP_ADDR on this machine.

Exit code: 0 all members answered, or a signal ended the live view; 1 one did not;
2 the flags are wrong.

`

const (
	// maxMembers bounds the members that are asked, maxStatus the size of an answer in bytes.
	maxMembers = 200
	maxStatus  = 16 << 20
	topTimeout = 5 * time.Second
	// clearScreen moves to the first line and clears what follows.
	clearScreen = "\x1b[H\x1b[J"
)

// runTop shows the members until a signal comes, or once.
func (p process) runTop(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("top", flag.ContinueOnError)
	var addrs []string
	flags.Func("addr", "`host:port` of a member", func(addr string) error {
		addr = strings.TrimSuffix(strings.TrimPrefix(addr, "http://"), "/")
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("want host:port: %w", err)
		}
		addrs = append(addrs, addr)
		return nil
	})
	interval := flags.Duration("interval", 2*time.Second, "between two looks")
	once := flags.Bool("once", false, "print once, on a terminal, too")
	code, ok := p.parseFlags(flags, topUsage, args, exitConfiguration, func() error {
		if *interval < 100*time.Millisecond {
			return fmt.Errorf("-interval is %s; want 100ms or more", *interval)
		}
		return nil
	})
	if !ok {
		return code
	}
	if addrs == nil {
		addrs = []string{ownAddr(os.Getenv("HTTP_ADDR"))}
	}
	live := !*once && isTerminal(p.stdout)
	for {
		members := lookAt(ctx, addrs)
		var text bytes.Buffer
		if live {
			text.WriteString(clearScreen)
		}
		_ = status.WriteText(&text, members)
		if _, err := text.WriteTo(p.stdout); err != nil {
			return exitFailed
		}
		if !live {
			if slices.ContainsFunc(members, func(m status.Member) bool { return m.Err != nil }) {
				return exitFailed
			}
			return 0
		}
		select {
		case <-p.signals:
			return 0
		case <-ctx.Done():
			return 0
		case <-time.After(*interval):
		}
	}
}

// lookAt asks all members at once, in the order of their addresses.
func lookAt(ctx context.Context, addrs []string) []status.Member {
	ctx, cancel := context.WithTimeout(ctx, topTimeout)
	defer cancel()
	var all []string
	for _, addr := range addrs {
		all = append(all, resolveMembers(ctx, net.DefaultResolver.LookupHost, addr)...)
	}
	all = all[:min(len(all), maxMembers)]
	members := make([]status.Member, len(all))
	var asked sync.WaitGroup
	for i, addr := range all {
		asked.Go(func() {
			members[i].Addr = addr
			members[i].Snapshot, members[i].Err = fetchStatus(ctx, addr)
		})
	}
	asked.Wait()
	return members
}

// resolveMembers returns all addresses of a name, or the name if it has one or none.
func resolveMembers(ctx context.Context, lookup func(context.Context, string) ([]string, error), addr string) []string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) != nil {
		return []string{addr}
	}
	found, err := lookup(ctx, host)
	if err != nil || len(found) < 2 || host == "localhost" {
		return []string{addr}
	}
	slices.Sort(found)
	for i := range found {
		found[i] = net.JoinHostPort(found[i], port)
	}
	return found
}

func fetchStatus(ctx context.Context, addr string) (s status.Snapshot, err error) {
	resp, err := getWithoutProxy(ctx, "http://"+addr+"/status")
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("it answers %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&s); err != nil {
		return s, fmt.Errorf("it answers no status: %w", err)
	}
	return s, nil
}
