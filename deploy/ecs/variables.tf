variable "name" {
  description = "Name of the service, the task family and the roles."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster and of the delivery streams."
  type        = string
}

variable "image" {
  description = "Image with its digest: REGISTRY/kafka-firehose@sha256:..., as digests.txt of a release names it."
  type        = string
}

variable "settings" {
  description = "Settings by the names of their environment variables, such as KAFKA_BROKERS, KAFKA_TOPICS, KAFKA_GROUP_ID and FIREHOSE_STREAM."
  type        = map(string)
}

variable "secrets" {
  description = "Settings that come from Secrets Manager or the Parameter Store: the ARN of each (for a member of a secret in JSON with :MEMBER:: behind it), by the names of their environment variables."
  type        = map(string)
  default     = {}
}

variable "delivery_stream_arns" {
  description = "ARNs of the delivery streams that the tasks write to."
  type        = list(string)
}

variable "task_policies" {
  description = "More policies for the tasks' role, as JSON: KMS keys, AWS Glue and others of deploy/iam-policy.json, MSK IAM of deploy/docs/kafka-login.md."
  type        = map(string)
  default     = {}
}

variable "members" {
  description = "Number of tasks: members of the consumer group. More than the topics have partitions are idle."
  type        = number
  default     = 2
}

variable "cpu" {
  description = "CPU units of a task."
  type        = number
  default     = 512
}

variable "memory" {
  description = "Memory of a task in MiB. MAX_BUFFERED_BYTES and 64 MiB have to fit into nine tenths of it."
  type        = number
  default     = 1024
}

variable "subnet_ids" {
  description = "Private subnets, from which the brokers, Firehose and the registry of the image are reached."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the tasks. They need to reach the brokers and, by HTTPS, AWS; nothing needs to reach them but Prometheus, on port 8080."
  type        = list(string)
}

variable "drain_seconds" {
  description = "SHUTDOWN_TIMEOUT in seconds, 115 at most."
  type        = number
  default     = 100
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  default     = 30
}
