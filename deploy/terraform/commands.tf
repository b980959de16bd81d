# What each command is: the program and what it is told. `archive-run` is `el-archive run`.

locals {
  # Commands of el-archive, by what they are called there.
  archive_commands = { for command in keys(var.commands) : command => trimprefix(command, "archive-") if startswith(command, "archive-") }

  run = {
    for command, one in var.commands : command => {
      program   = ["python", "-m", contains(keys(local.archive_commands), command) ? "el.archive.cli" : "el.cli"]
      arguments = concat([lookup(local.archive_commands, command, command)], one.arguments)
      environment = merge(
        { AWS_REGION = var.region, LANDING_URL = "s3://${var.bucket}/${var.prefix}" },
        { for name, value in { EL_ALERTS_SNS_TOPIC = var.topic_arn } : name => value if value != null },
        var.archive == null || contains(["extract", "clean"], command) ? {} : {
          ARCHIVE_URL = "s3://${var.archive.bucket}/${var.archive.prefix}"
        },
        !contains(keys(local.archive_commands), command) || var.archive == null ? {} : {
          ARCHIVE_KMS_KEY     = var.archive.kms_key_arn
          ARCHIVE_OBJECT_LOCK = var.archive.object_lock
        },
        one.environment,
      )
    }
  }
}
