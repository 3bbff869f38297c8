variable "name" {
  description = "Name of the delivery stream; the roles' names begin with it."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket to make for what is delivered."
  type        = string
}

variable "oidc_provider_arn" {
  description = "The cluster's OIDC provider: arn:aws:iam::ACCOUNT:oidc-provider/oidc.eks.REGION.amazonaws.com/id/ID."
  type        = string
}

variable "namespace" {
  description = "Namespace of the chart's release."
  type        = string
}

variable "service_account" {
  description = "Name of the chart's service account; RELEASE-kafka-firehose unless set."
  type        = string
}

variable "glue_schema_registry" {
  description = "Whether the bridge reads schemas from AWS Glue (SCHEMA_REGISTRY_TYPE=glue)."
  type        = bool
  default     = false
}
