# The policies of deploy/iam with this account's names in them. They are written there, and nowhere else.

locals {
  names = {
    bucket              = var.bucket
    prefix              = var.prefix
    archive_bucket      = try(var.archive.bucket, "")
    archive_prefix      = try(var.archive.prefix, "")
    archive_kms_key_arn = try(var.archive.kms_key_arn, "")
  }

  # Whoever loads tells Redshift which rows are archived.
  load = concat(["load"], var.archive == null ? [] : ["load-archived"])

  # The policies of each command, and COPY's.
  needs = {
    extract        = ["extract"]
    load           = local.load
    run            = concat(["extract"], local.load)
    clean          = ["janitor"]
    archive-run    = ["archive"]
    archive-verify = ["archive-restore"]
    archive-drill  = ["archive-restore"]
    archive-expire = ["archive-expire"]
  }

  policies = {
    for role in toset(concat(["copy", "copy-archived"], flatten(values(local.needs)))) : role => templatefile("${path.module}/../iam/${role}.json", local.names)
  }

  # Pairs of a command and what it needs, by a name.
  attached = merge([
    for command in keys(var.commands) : { for role in local.needs[command] : "${command}.${role}" => [command, role] }
  ]...)

  # ECS takes the key of a JSON secret behind its ARN; a policy takes the ARN alone.
  secrets = merge([
    for command, one in var.commands : {
      for arn in toset([for secret in values(one.secrets) : join(":", slice(split(":", secret), 0, 7))]) :
      "${command}.${arn}" => [command, arn]
    }
  ]...)

  # Who may be each kind of role.
  trust = {
    for service in ["ecs-tasks.amazonaws.com", "redshift.amazonaws.com", "scheduler.amazonaws.com"] : service => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = concat([service], service == "redshift.amazonaws.com" ? ["redshift-serverless.amazonaws.com"] : []) }
      }]
    })
  }
}
