# The container of the task definition, by values alone: this module has no provider, so `terraform console` and a test
# evaluate it without an account.

variable "image" {
  description = "Image with its digest: REGISTRY/kafka-firehose@sha256:..., as digests.txt of a release names it."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must end in @sha256: and its digest, so that each task runs the same one."
  }
}

variable "settings" {
  description = "Settings by the names of their environment variables. HTTP_ADDR and SHUTDOWN_TIMEOUT are set here."
  type        = map(string)
  validation {
    condition     = alltrue([for name in ["KAFKA_BROKERS", "KAFKA_GROUP_ID"] : contains(keys(var.settings), name)])
    error_message = "The settings need KAFKA_BROKERS and KAFKA_GROUP_ID."
  }
  validation {
    condition     = alltrue([for name in keys(var.settings) : !can(regex("_(PASSWORD|SECRET|TOKEN)$", name)) && !contains(["HTTP_ADDR", "SHUTDOWN_TIMEOUT"], name)])
    error_message = "Passwords, secrets and tokens belong in secrets, and HTTP_ADDR and SHUTDOWN_TIMEOUT are set by this module."
  }
}

variable "secrets" {
  description = "Settings that come from Secrets Manager or the Parameter Store: the ARN of each (for a member of a secret in JSON with :MEMBER:: behind it), by the names of their environment variables."
  type        = map(string)
  default     = {}
}

variable "region" {
  description = "Region of the log group and of the delivery streams."
  type        = string
}

variable "log_group" {
  description = "Name of the log group."
  type        = string
}

variable "drain_seconds" {
  description = "SHUTDOWN_TIMEOUT in seconds. ECS kills a task five seconds after it, and Fargate 120 seconds after the signal at the latest."
  type        = number
  default     = 100
  validation {
    condition     = var.drain_seconds >= 10 && var.drain_seconds <= 115
    error_message = "The drain may take 10 to 115 seconds: ECS takes 120 as the time until it kills a task."
  }
}

locals {
  # A member of a secret is named behind the ARN, ...:NAME-AbCdEf:MEMBER::, and a policy takes the ARN alone.
  secret_arns = distinct([for arn in values(var.secrets) : replace(arn, "/^(arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:]*):.*$/", "$1")])

  definition = {
    name                   = "kafka-firehose"
    image                  = var.image
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    stopTimeout            = var.drain_seconds + 5
    # It asks /livez, which fails only where a restart helps: a pipeline does not answer. /readyz also fails for outages, which a new
    # task does not end.
    healthCheck = {
      command     = ["CMD", "/kafka-firehose", "healthcheck"]
      interval    = 10
      timeout     = 5
      retries     = 6
      startPeriod = 60
    }
    portMappings = [{ containerPort = 8080, protocol = "tcp", name = "http" }]
    environment = [
      for name, value in merge({ AWS_REGION = var.region }, var.settings, {
        HTTP_ADDR                           = ":8080"
        SHUTDOWN_TIMEOUT                    = "${var.drain_seconds}s"
      }) : { name = name, value = value }
    ]
    secrets = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group
        awslogs-region        = var.region
        awslogs-stream-prefix = "kafka-firehose"
      }
    }
  }
}

output "definition" {
  description = "The container, for jsonencode([...]) in a task definition."
  value       = local.definition
}

output "secret_arns" {
  description = "What the role of ECS has to read: the secrets, without the names of their members."
  value       = local.secret_arns
}
