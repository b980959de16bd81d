# A role for each command, one for COPY, one that starts tasks for each command, and one for the scheduler.

resource "aws_iam_role" "task" {
  for_each = var.commands

  name               = "${var.name}-${each.key}"
  assume_role_policy = local.trust["ecs-tasks.amazonaws.com"]

  lifecycle {
    precondition {
      condition     = !startswith(each.key, "archive-") || var.archive != null
      error_message = "The command ${each.key} needs the variable archive."
    }
  }
}

resource "aws_iam_role_policy" "s3" {
  for_each = local.attached

  name   = "s3-${each.value[1]}"
  role   = aws_iam_role.task[each.value[0]].id
  policy = local.policies[each.value[1]]
}

resource "aws_iam_role_policy" "alerts" {
  for_each = var.topic_arn == null ? {} : var.commands

  name   = "alerts"
  role   = aws_iam_role.task[each.key].id
  policy = templatefile("${path.module}/../iam/alerts.json", { topic_arn = var.topic_arn })
}

# The janitor reads commits, so it needs the key as well.
resource "aws_iam_role_policy" "encryption" {
  for_each = var.kms_key_arn == null ? {} : var.commands

  name   = "encryption"
  role   = aws_iam_role.task[each.key].id
  policy = templatefile("${path.module}/../iam/encryption.json", { kms_key_arn = var.kms_key_arn })
}

resource "aws_iam_role_policy" "archive_encryption" {
  for_each = local.archive_commands

  name   = "archive-encryption"
  role   = aws_iam_role.task[each.key].id
  policy = templatefile("${path.module}/../iam/encryption.json", { kms_key_arn = try(var.archive.kms_key_arn, "") })
}

# Attach it to the cluster or the workgroup, and name it by EL_COPY_IAM_ROLE.
resource "aws_iam_role" "copy" {
  name               = "${var.name}-copy"
  assume_role_policy = local.trust["redshift.amazonaws.com"]
}

resource "aws_iam_role_policy" "copy" {
  name   = "landing"
  role   = aws_iam_role.copy.id
  policy = local.policies["copy"]
}

resource "aws_iam_role_policy" "copy_archived" {
  for_each = local.archives

  name   = "archive"
  role   = aws_iam_role.copy.id
  policy = local.policies["copy-archived"]
}

resource "aws_iam_role_policy" "copy_encryption" {
  count = var.kms_key_arn == null ? 0 : 1

  name   = "encryption"
  role   = aws_iam_role.copy.id
  policy = templatefile("${path.module}/../iam/encryption.json", { kms_key_arn = var.kms_key_arn })
}

# ECS reads a command's secrets when it starts the task: each command's own, so nobody else can.
resource "aws_iam_role" "start" {
  for_each = var.commands

  name               = "${var.name}-${each.key}-start"
  assume_role_policy = local.trust["ecs-tasks.amazonaws.com"]
}

resource "aws_iam_role_policy_attachment" "start" {
  for_each = var.commands

  role       = aws_iam_role.start[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "secrets" {
  for_each = local.secrets

  name   = "secret-${substr(sha256(each.value[1]), 0, 8)}"
  role   = aws_iam_role.start[each.value[0]].id
  policy = templatefile("${path.module}/../iam/secrets.json", { secret_arn = each.value[1] })
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  assume_role_policy = local.trust["scheduler.amazonaws.com"]
}

resource "aws_iam_role_policy" "scheduler" {
  name = "run-tasks"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = [for task in aws_ecs_task_definition.el : "${task.arn_without_revision}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = var.cluster_arn } }
      },
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = concat([for role in aws_iam_role.task : role.arn], [for role in aws_iam_role.start : role.arn])
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}
