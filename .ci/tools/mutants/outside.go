package main

// outside are questions to Kafka that wait for one another.
func outside() []mutant {
	const seen = "lag, commits and the group's position don't wait for one another"
	return []mutant{
		{
			seen, "lag is asked on the connections of commits and heartbeats",
			"connector/kafka/lag.go", "client, err := s.lag.openClient()", "client, err := s.client, error(nil)",
			"connector/e2e", "TestLagOfAHangingBroker", "committed 600 within three seconds, want 1200",
		},
		{
			seen, "the group's position is asked on the connection of commits",
			"connector/kafka/commitloop.go", "client, err := s.standing.openClient()", "client, err := s.client, error(nil)",
			"connector/e2e", "TestPositionThatHangs", "within four seconds",
		},
		{
			seen, "a broker that hangs holds up the lag of all others",
			"connector/kafka/lag.go", "lagTimeout = 10 * time.Second", "lagTimeout = 10 * time.Hour",
			"connector/e2e", "TestLagOfAHangingBroker", "lines about it in five and a half minutes",
		},
		{
			seen, "the lag of a partition that can't be asked freezes",
			"connector/kafka/lag.go", "		s.metrics.ForgetLag(k.topic, k.partition)\n", "",
			"connector/e2e", "TestLagOfAHangingBroker", "in 6 partitions, want 400 in the 4 of other brokers",
		},
		{
			seen, "lag ends at the last stable offset",
			"connector/kafka/findoffsets.go", "	req.ReplicaID, req.IsolationLevel = -1, isolation\n", "	req.ReplicaID, req.IsolationLevel = -1, readCommitted\n",
			"connector/e2e", "TestLagBehindAnOpenTransaction", "kafka_lag_records is 0 behind the transaction, want 401",
		},
	}
}

// shown are breaks of what people see of Kafka: open transactions, headroom, throttling.
func shown() []mutant {
	const seen = "metrics show Kafka as it is"
	return []mutant{
		{
			seen, "an open transaction is told at each look",
			"connector/kafka/lag.go", "now.Sub(at.warned) >= openEvery", "now.Sub(at.warned) >= 0",
			"connector/e2e", "TestLagBehindAnOpenTransaction", "lines about it in ten minutes",
		},
		{
			seen, "a partition without a commit has no headroom",
			"connector/kafka/lag.go", "	s.metrics.SetHeadroom(k.topic, k.partition, position-start.offset)\n", "	if p.committed >= 0 {\n		s.metrics.SetHeadroom(k.topic, k.partition, position-start.offset)\n	}\n",
			"connector/e2e", "TestHeadroomWithoutACommit", "in 0 partitions, want 0 in 4",
		},
		{
			seen, "clients for questions stay open when nothing is owned, and log in again and again",
			"connector/kafka/commitloop.go", "	if len(acknowledged) == 0 {\n", "	if false {\n",
			"connector/e2e", "TestLoginRefusedForAnHour", "logins in an hour",
		},
		{
			seen, "nobody counts how long brokers throttle",
			"connector/kafka/connection.go", `		kgo.WithHooks(throttleHook{m.Throttled}),
`, "",
			"connector/e2e", "TestBrokersThrottle", "throttled for 0 s",
		},
	}
}

// joining are breaks of the messages about a process that is not in the group.
func joining() []mutant {
	const told = "every reason for not being in the group is told"
	return []mutant{
		{
			told, "a group that is full is none of access",
			"connector/kafka/diagnose.go", "errors.Is(err, kerr.GroupMaxSizeReached)", "false",
			"connector/kafka", "TestDiagnose", "GROUP_MAX_SIZE_REACHED",
		},
		{
			told, "a member of the consumer protocol without a coordinator is out without a reason",
			"connector/kafka/partitionerrors.go", "		l.access.onJoinFails(keyvals)\n", "",
			"connector/e2e", "TestNotInTheGroup/coordinator_of_the_consumer_protocol", "readiness does not say",
		},
		{
			told, "other errors of the group's session have no reason",
			"connector/kafka/access.go", "a.cfg.diagnoseSession(err)", "a.cfg.DiagnoseError(err)",
			"connector/e2e", "TestNotInTheGroup/coordinator_loads", "readiness does not say",
		},
		{
			told, "an address that nobody reaches is never a reason",
			"connector/kafka/unreachable.go", "now.Sub(o.first) >= outageAfter", "false",
			"connector/e2e", "TestNotInTheGroup/advertised_address", "readiness does not say",
		},
		{
			told, "a restart of a broker counts as a refusal",
			"connector/kafka/unreachable.go", "now.Sub(o.first) >= outageAfter", "now.Sub(o.first) >= 0",
			"connector/kafka", "TestUnreachedBroker", "for a restart: 1 refusals",
		},
		{
			told, "the check does not count the members of a group",
			"connector/preflight/group.go", "i.members >= most", "false",
			"connector/e2e", "TestInspectObstacles/group_is_full", "no error about a group says",
		},
	}
}

// clients are bounds of what clients of /metrics and the probes may hold.
func clients() []mutant {
	const bounded = "clients of metrics and probes hold little, and keep no probe from its answer"
	return []mutant{
		{
			bounded, "answers to clients that don't read are without number",
			"metrics/server.go", "make(chan struct{}, maxScrapes)", "make(chan struct{}, 1000)",
			"metrics", "TestScrapesAreBounded", "200 .*, want 503",
		},
		{
			bounded, "series are gathered for all clients at the same time",
			"metrics/server.go", "gathering: make(chan struct{}, 1)", "gathering: make(chan struct{}, 1000)",
			"metrics", "TestClientsThatNeverRead", "gathers at a time, want 1",
		},
		{
			bounded, "a client has any time to take its answer",
			"metrics/server.go", "WriteTimeout: answerTimeout, ", "",
			"metrics", "TestScrapesAreBounded", "503 8 scrapes",
		},
		{
			bounded, "there is no header timeout",
			"metrics/server.go", "ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, ", "",
			"metrics", "TestConnectionsAreBounded", "connections without a request are open after 5s",
		},
		{
			bounded, "headers may have a megabyte",
			"metrics/server.go", "maxHeader = 8 << 10", "maxHeader = 1 << 20",
			"metrics", "TestRequestsAreBounded", "a header of 64 KiB",
		},
		{
			bounded, "connections are without number",
			"metrics/connections.go", "len(d.open) >= maxConnections", "len(d.open) >= 100000",
			"metrics", "TestConnectionsAreBounded", "connections are open, want the 128 late ones",
		},
		{
			bounded, "the newest connection is sent away",
			"metrics/connections.go", "o.moved.Load() < stalest.moved.Load()", "o.moved.Load() > stalest.moved.Load()",
			"metrics", "TestConnectionsAreBounded", "connections are open, want the 128 late ones",
		},
	}
}

// logins are credentials that are thrown away early.
func logins() []mutant {
	const lasts = "credentials are used to their end"
	return []mutant{
		{
			lasts, "a token is thrown away when its endpoint is down",
			"connector/oauthtoken/source.go", "case t.token != \"\" && (t.end.IsZero() || now.Before(t.end)):", "case now.IsZero():",
			"connector/oauthtoken", "TestTokenIsUsedToItsEnd", "before its end: ",
		},
		{
			lasts, "a token is used beyond its end",
			"connector/oauthtoken/source.go", "(t.end.IsZero() || now.Before(t.end))", "!now.IsZero()",
			"connector/oauthtoken", "TestTokenIsUsedToItsEnd", "after its end: ",
		},
		{
			lasts, "a token that a broker refused once is gone although there is no other",
			"connector/oauthtoken/source.go", "	t.until = time.Time{}\n}", "	t.until, t.token = time.Time{}, \"\"\n}",
			"connector/oauthtoken", "TestTokenIsUsedToItsEnd", "when a broker has refused it, and there is no other",
		},
		{
			lasts, "a token file that is being written costs a login",
			"connector/oauthtoken/source.go", `	case time.Now().Before(t.end):
		return t.keepOld(err), nil
`, "",
			"connector/oauthtoken", "TestTokenFileInTheMiddle", "empty: ",
		},
	}
}

// origins are logins that go where they must not, or are shown.
func origins() []mutant {
	const stays = "a login goes to no other scheme, host or port, and is shown nowhere"
	return []mutant{
		{
			stays, "the client secret follows a redirect",
			"connector/oauthtoken/source.go", ", CheckRedirect: origin.StayOnOrigin", "",
			"connector/oauthtoken", "TestTokenEndpointRedirects", "a redirect to another port",
		},
		{
			stays, "the registry's login follows a redirect",
			"connector/schema/client.go", ", CheckRedirect: l.stay", "",
			"connector/schema", "TestLoginStaysAtTheRegistry", "another origin was asked",
		},
		{
			stays, "a port is no part of an origin",
			"connector/origin/origin.go", "return net.JoinHostPort(strings.ToLower(u.Hostname()), port)", "return net.JoinHostPort(strings.ToLower(u.Hostname()), port[:0])",
			"connector/origin", "TestLoginsStay", "another server got",
		},
		{
			stays, "a container's token follows a redirect",
			"connector/awsconfig/chain.go", "client.WithTransportOptions(origin.KeepTransport)", "client",
			"connector/awsconfig", "TestContainerEndpointRedirects", "a redirect to another port",
		},
		{
			stays, "the logins of the SDK's other clients follow redirects",
			"connector/awsconfig/awsconfig.go", "origin.KeepTransport, origin.ReportProxy", "origin.ReportProxy",
			"connector/awsconfig", "TestNoLoginLeavesItsOrigin", "another origin got \"s3cret\"",
		},
		{
			stays, "the address of a container's credentials is shown in full",
			"connector/awsconfig/text.go", `	return origin.BareMessage(err.Error())
`, "	return err.Error()\n",
			"connector/awsconfig", "TestURLsAreCut", "s3cret",
		},
		{
			stays, "TLS 1.0 is spoken",
			"connector/certificates/files.go", "MinVersion: tls.VersionTLS12", "MinVersion: tls.VersionTLS10",
			"connector/certificates", "TestOldTLS", "TLS 1.0 is spoken: true",
		},
	}
}

// strangers are servers that answer in the place of the one that was asked.
func strangers() []mutant {
	const named = "who answers in the place of another is named"
	return []mutant{
		{
			named, "a login page is an answer of Firehose that was cut",
			"connector/firehose/putbatch/classify.go", "case status == http.StatusOK && !fromAWS(response):", "case status == http.StatusOK && !fromAWS(response) && false:",
			"connector/firehose", "TestNotFirehose", "ambiguous unreadable_answer",
		},
		{
			named, "a proxy's refusal is the host's",
			"connector/origin/proxy.go", "		if answer.StatusCode == http.StatusOK {", "		if answer.StatusCode > 0 {",
			"connector/origin", "TestReportProxy", "want one with",
		},
		{
			named, "a proxy whose address can't be read is passed by",
			"connector/origin/proxy.go", "	return err == nil && slices.Contains(", "	return err != nil || slices.Contains(",
			"connector", "TestLoadEnvironmentProxy", "HTTPS_PROXY: ",
		},
		{
			"an answer is not trusted", "a token may have a line end in it",
			"connector/oauthtoken/source.go", "r <= ' ' || r > '~'", "r == 0",
			"connector/oauthtoken", "FuzzEndpointAnswer", "the token is",
		},
		{
			"an answer is not trusted", "a token endpoint's error may repeat the client's secret",
			"connector/oauthtoken/answer.go", "strings.ReplaceAll(answer.ErrorDescription, secret, \"***\")", "answer.ErrorDescription",
			"connector/oauthtoken", "FuzzEndpointAnswer", "planted",
		},
		{
			"an answer is not trusted", "the code of AWS Glue's error is shown as it comes",
			"connector/schema/glue/failure.go", "awsconfig.CleanMessage(api.ErrorCode()), awsconfig", "api.ErrorCode(), awsconfig",
			"connector/schema", "FuzzGlueAnswer", "bytes say",
		},
		{
			"a record is never read as another type", "one of several messages with the name is taken",
			"connector/convert/protobuf/find.go", "all[name] = nil\n", "all[name] = m\n",
			"connector/convert", "TestApicurioNames", "several messages",
		},
	}
}
