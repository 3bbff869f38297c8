// Package schema fetches schemas from a Schema Registry, the one outside world it
// knows, and keeps them.
//
// A lane asks for the schema of a record with [Registry.Schema], which never waits.
// What is not there it has fetched with [Registry.Fetch], and puts its record back
// until the channel that this returns is closed. Meanwhile it answers to a revoke and
// to a stop, and sends what it has begun.
//
// Only what the registry itself says about a schema makes records bad: that there is
// none with such an id, or a text that is no schema. All else is the registry's own
// trouble, and the records wait for its end:
//
//	down       no connection, a time-out, 429, 5xx: somebody is on it, or will be
//	blocked    a login that is refused, an address that is no registry's: it needs
//	           somebody to change something
//
// There is one attempt at a time for each schema, and after a failure none before the
// backoff of the whole registry is over.
package schema
