output "config" {
  description = "For the chart's config."
  value = {
    AWS_REGION      = data.aws_region.current.name
    FIREHOSE_STREAM = aws_kinesis_firehose_delivery_stream.records.name
  }
}

output "service_account_annotations" {
  description = "For the chart's serviceAccount.annotations."
  value = {
    "eks.amazonaws.com/role-arn" = aws_iam_role.bridge.arn
  }
}
