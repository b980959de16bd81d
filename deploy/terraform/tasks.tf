# A task and a schedule for each command.

resource "aws_cloudwatch_log_group" "el" {
  for_each = var.commands

  name              = "/${var.name}/${each.key}"
  retention_in_days = 90
}

resource "aws_ecs_task_definition" "el" {
  for_each = var.commands

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task[each.key].arn
  execution_role_arn       = aws_iam_role.start[each.key].arn

  ephemeral_storage {
    size_in_gib = var.disk_gib
  }

  # The one place that is written to; it is gone with the task, and nothing is lost by that.
  volume {
    name = "work"
  }

  container_definitions = jsonencode([{
    name                   = "el"
    image                  = var.image
    essential              = true
    entryPoint             = local.run[each.key].program
    command                = local.run[each.key].arguments
    readonlyRootFilesystem = true
    stopTimeout            = 120
    mountPoints            = [{ sourceVolume = "work", containerPath = "/var/lib/el" }]
    environment = [
      for name, value in local.run[each.key].environment :
      { name = name, value = value }
    ]
    secrets = [for name, arn in each.value.secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.el[each.key].name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "el"
      }
    }
  }])
}

resource "aws_scheduler_schedule" "el" {
  for_each = var.commands

  name                         = "${var.name}-${each.key}"
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = each.value.timezone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.cluster_arn
    role_arn = aws_iam_role.scheduler.arn

    # A task that could not be started is started at the next time: what was missed is read then.
    retry_policy {
      maximum_retry_attempts = 0
    }

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.el[each.key].arn
      launch_type         = "FARGATE"

      network_configuration {
        subnets          = each.value.subnets
        security_groups  = each.value.security_groups
        assign_public_ip = false
      }
    }
  }
}

output "copy_role_arn" {
  description = "Attach it to Redshift, and give it to load as EL_COPY_IAM_ROLE."
  value       = aws_iam_role.copy.arn
}
