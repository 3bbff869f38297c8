# The bridge as a service of ECS on Fargate: one task is one member of the consumer group.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

data "aws_caller_identity" "current" {}

resource "aws_cloudwatch_log_group" "bridge" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
}

module "container" {
  source        = "./container"
  image         = var.image
  settings      = var.settings
  secrets       = var.secrets
  region        = var.region
  log_group     = aws_cloudwatch_log_group.bridge.name
  drain_seconds = var.drain_seconds
}

resource "aws_ecs_task_definition" "bridge" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([module.container.definition])
}

resource "aws_ecs_service" "bridge" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.bridge.arn
  launch_type     = "FARGATE"
  desired_count   = var.members

  # One member is replaced at a time: it leaves the group before its successor joins, and every other one keeps its partitions.
  deployment_minimum_healthy_percent = var.members > 1 ? floor(100 * (var.members - 1) / var.members) : 0
  deployment_maximum_percent         = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = var.security_group_ids
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

# The role of ECS itself: it pulls the image, reads the secrets and writes the log.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  count = length(var.secrets) > 0 ? 1 : 0
  statement {
    actions   = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
    resources = module.container.secret_arns
  }
}

resource "aws_iam_role_policy" "secrets" {
  count  = length(var.secrets) > 0 ? 1 : 0
  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets[0].json
}

# The role of the bridge: it puts records, and looks at the streams.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "task" {
  statement {
    actions   = ["firehose:PutRecordBatch", "firehose:DescribeDeliveryStream"]
    resources = var.delivery_stream_arns
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "firehose"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

resource "aws_iam_role_policy" "more" {
  for_each = var.task_policies
  name     = each.key
  role     = aws_iam_role.task.id
  policy   = each.value
}

output "task_role_arn" {
  description = "Role of the tasks, for policies of topics, keys and streams in other accounts."
  value       = aws_iam_role.task.arn
}
