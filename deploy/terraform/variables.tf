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

variable "cluster_name" {
  description = "Name of the EKS cluster, for EKS Pod Identity: pods of other clusters of the account may not assume the role then. Empty: they may, in the same namespace and under the same service account."
  type        = string
  default     = ""
}

variable "kms_key_arn" {
  description = "ARN of a customer managed key to encrypt the delivery stream at rest with; empty for a key of AWS. The role of the bridge may use it, which AWS asks for of streams created since 2026-04-20, and of all from 2027-02-28."
  type        = string
  default     = ""
}

variable "glue_schema_registry" {
  description = "Whether the bridge reads schemas from AWS Glue (SCHEMA_REGISTRY_TYPE=glue)."
  type        = bool
  default     = false
}

variable "destination_watch" {
  description = "Whether the bridge asks CloudWatch how late the destination is, as with DESTINATION_WATCH=true."
  type        = bool
  default     = false
}

variable "claim_check_arn" {
  description = "ARN of the bucket and prefix of CLAIM_CHECK_URL, such as arn:aws:s3:::large-values/kafka, with BAD_RECORD_POLICY=claim-check."
  type        = string
  default     = ""
}

variable "claim_check_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket of CLAIM_CHECK_URL, if one does. Empty: none."
  type        = string
  default     = ""
}
