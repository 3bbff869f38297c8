// Package recovery compares the records in Kafka with the objects that Firehose has delivered, and plans which
// records are sent once more.
//
// An audit has two sides. [kafka.RangeReader] reads a range of the topics, and every record that the service
// would send is expected. The delivered objects, in S3 or in a directory, are read as a stream, several at a
// time, and the id of each envelope in them is noted. Both sides are sets of offsets in compressed bitmaps, one
// of each kind for a partition, so memory follows from the number of records and not from their size: about one
// bit for each record and set. The report is made from their intersections and differences.
//
// A replay sends a range of the topics once more, and a redrive sends the records of dead letters. Package connector does so;
// this package has the part of both that needs no connection: which records a request names, where each partition begins and ends,
// and how the progress is kept in commits.
package recovery
