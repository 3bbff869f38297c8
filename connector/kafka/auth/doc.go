// Package auth makes connections to Kafka's brokers: TLS, the login by SASL (PLAIN, SCRAM, OAUTHBEARER, AWS_MSK_IAM), and the explanation
// of a connection or a login that fails. Files of certificates, passwords and tokens are read again for each connection, so that rotation needs no
// restart. It knows no client of Kafka and no group; package kafka passes it to its clients.
package auth
