# A delivery stream into a new S3 bucket, the role that Firehose writes there with, and the role of the bridge, which the
# service account of the chart assumes by IRSA, or by EKS Pod Identity.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

resource "aws_s3_bucket" "records" {
  bucket = var.bucket
}

resource "aws_kinesis_firehose_delivery_stream" "records" {
  name        = var.name
  destination = "extended_s3"

  # Direct PUT, which is what the bridge needs, is what a stream without a source block is.
  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = aws_s3_bucket.records.arn
    prefix              = "records/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    buffering_size      = 64
    buffering_interval  = 60
    compression_format  = "GZIP"

    # A record that was accepted is Firehose's to deliver. Why it can't, a policy of the bucket or a key, stands here alone.
    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose.name
      log_stream_name = aws_cloudwatch_log_stream.firehose.name
    }
  }

  server_side_encryption {
    enabled  = true
    key_type = var.kms_key_arn == "" ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK"
    key_arn  = var.kms_key_arn == "" ? null : var.kms_key_arn
  }

  # Without its policy the role can't write yet when the first records come.
  depends_on = [aws_iam_role_policy.firehose]
}

resource "aws_cloudwatch_log_group" "firehose" {
  name              = "/aws/kinesisfirehose/${var.name}"
  retention_in_days = 30
}

resource "aws_cloudwatch_log_stream" "firehose" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.firehose.name
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

# What Firehose itself does: write to the bucket.
resource "aws_iam_role" "firehose" {
  name               = "${var.name}-firehose"
  assume_role_policy = data.aws_iam_policy_document.firehose_trust.json
}

data "aws_iam_policy_document" "firehose_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "firehose" {
  role   = aws_iam_role.firehose.id
  policy = data.aws_iam_policy_document.firehose.json
}

data "aws_iam_policy_document" "firehose" {
  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetBucketLocation",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:PutObject",
    ]
    resources = [aws_s3_bucket.records.arn, "${aws_s3_bucket.records.arn}/*"]
  }
  statement {
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.firehose.arn}:log-stream:${aws_cloudwatch_log_stream.firehose.name}"]
  }
}

# What the bridge does: put records, and look at the stream.
resource "aws_iam_role" "bridge" {
  name               = "${var.name}-kafka-firehose"
  assume_role_policy = data.aws_iam_policy_document.bridge_trust.json
}

data "aws_iam_policy_document" "bridge_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
  # For EKS Pod Identity, which takes an aws_eks_pod_identity_association with this role and no annotation, and with the session tags that
  # it adds unless told otherwise.
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [var.namespace]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [var.service_account]
    }
    dynamic "condition" {
      for_each = var.cluster_name == "" ? [] : [1]
      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/eks-cluster-name"
        values   = [var.cluster_name]
      }
    }
  }
}

resource "aws_iam_role_policy" "bridge" {
  role   = aws_iam_role.bridge.id
  policy = data.aws_iam_policy_document.bridge.json
}

data "aws_iam_policy_document" "bridge" {
  statement {
    actions   = ["firehose:PutRecordBatch", "firehose:DescribeDeliveryStream"]
    resources = [aws_kinesis_firehose_delivery_stream.records.arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [1]
    content {
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [var.kms_key_arn]
    }
  }
  dynamic "statement" {
    for_each = var.glue_schema_registry ? [1] : []
    content {
      actions   = ["glue:GetSchemaVersion"]
      resources = ["*"]
    }
  }
  dynamic "statement" {
    for_each = var.destination_watch ? [1] : []
    content {
      actions   = ["cloudwatch:GetMetricData"]
      resources = ["*"]
    }
  }
  dynamic "statement" {
    for_each = var.claim_check_arn == "" ? [] : [1]
    content {
      actions   = ["s3:PutObject"]
      resources = ["${var.claim_check_arn}/*"]
    }
  }
  dynamic "statement" {
    for_each = var.claim_check_kms_key_arn == "" ? [] : [1]
    content {
      actions   = ["kms:GenerateDataKey"]
      resources = [var.claim_check_kms_key_arn]
    }
  }
}

locals {
  # arn:aws:iam::ACCOUNT:oidc-provider/ISSUER
  issuer = split("oidc-provider/", var.oidc_provider_arn)[1]
}
