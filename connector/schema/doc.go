// Package schema fetches schemas from a Schema Registry, the one outside world it
// knows, and keeps them.
//
// A pipeline asks for the schema of a record with [Registry.LookupSchema], which never waits.
// A missing schema is fetched with [Registry.FetchFor], and the pipeline puts its record back
// until the returned channel is closed. Meanwhile it answers to a revoke and
// to a stop, and sends the open batch.
//
// A registry is asked by one of three protocols: Confluent's, Apicurio's own API, or AWS
// Glue's (package glue). Each tells its registry's statements about a schema from all other
// answers; everything else is the same for the three.
//
// Only the registry itself makes records bad, by one of two statements about a schema:
// that it is absent, or a text that is no schema. Everything else is the registry's own
// trouble, and the records wait for its end:
//
//	down       no connection, a time-out, 429, 5xx: the registry has to recover
//	throttled  as down, and there is one request at a time for all schemas
//	blocked    a login or a permission that is refused, an address that is no
//	           registry's: an operator has to change something
//
// A schema is absent when every address says so, each of which is seen to be the registry
// (absentschema.go), half a minute after the record was polled that it is asked for, and after the
// registry's last failure. An earlier answer holds for earlier records alone: [RefreshAbsent].
// The text of a schema never changes, so one answer proves that it can't be used; it is
// asked for again after a while all the same.
//
// There is one attempt at a time for each schema, and after a failure none before the
// backoff of the whole registry is over.
package schema
