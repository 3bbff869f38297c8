// Package cluster installs the Helm chart on a real API server of Kubernetes, with the custom
// resources of KEDA and of the Prometheus operator and with Pod Security "restricted" enforced.
//
// The API server decides what it decides anywhere: which fields there are, what may stand in them,
// what may change, and which pods are let in. There is no node and no controller, so nothing runs:
// the tests make the pods that a Deployment would make, and end the pod of helm test.
package cluster
