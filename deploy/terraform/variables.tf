# What an account decides. terraform.tfvars.example has a value for each.

variable "name" {
  description = "Prefix of the names of everything that is made."
  type        = string
  default     = "el"
}

variable "region" {
  description = "The region of the bucket, the tasks and Redshift."
  type        = string
}

variable "bucket" {
  description = "The landing's bucket, in Redshift's region. It is made, with versions."
  type        = string
}

variable "prefix" {
  description = "The landing's prefix: LANDING_URL is s3://<bucket>/<prefix>."
  type        = string
  default     = "landing"
  validation {
    condition     = can(regex("^[^/*?]+(/[^/*?]+)*$", var.prefix))
    error_message = "The prefix must not be empty and has no slash at either end: the policies are built on it."
  }
}

variable "tables" {
  description = "Tables of each source by their raw names, as in Redshift: one lifecycle rule for the files of each."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for table in flatten(values(var.tables)) : can(regex("^[a-z0-9_]+$", table))])
    error_message = "Raw names have letters of a-z, digits and _: see el/config.py, raw_name."
  }
  validation {
    condition = length(setintersection(toset(flatten(values(var.tables))), toset([
      "_commits", "_manifests", "_leases", "_skipped", "_receipts", "_dlt_version", "_dlt_loads"
    ]))) == 0
    error_message = "A table of this name has its files where el keeps what must not expire: leave it out."
  }
}

variable "retention_days" {
  description = "Days after which the files of the landing expire; null: never. See docs/how-to/deploy.md first."
  type        = number
  default     = null
  validation {
    condition     = var.retention_days == null || try(var.retention_days >= 30, false)
    error_message = "Files that Redshift does not have yet would expire: 30 days at least."
  }
}

variable "noncurrent_days" {
  description = "Days for which a version that was deleted or overwritten can be restored."
  type        = number
  default     = 30
}

variable "record_days" {
  description = "Days after which run records and logs expire."
  type        = number
  default     = 400
}

variable "kms_key_arn" {
  description = "The key that encrypts the bucket; null: S3's own."
  type        = string
  default     = null
}

variable "archive" {
  description = "The archive's bucket, which is made, with versions and Object Lock; its key; and how S3 locks objects: none, governance or compliance. null: no archive."
  type = object({
    bucket      = string
    prefix      = optional(string, "archive")
    kms_key_arn = string
    object_lock = optional(string, "governance")
  })
  default = null
  validation {
    condition     = var.archive == null || can(regex("^[^/*?]+(/[^/*?]+)*$", var.archive.prefix))
    error_message = "The archive's prefix must not be empty and has no slash at either end: the policies are built on it."
  }
  validation {
    condition     = var.archive == null || try(contains(["none", "governance", "compliance"], var.archive.object_lock), false)
    error_message = "object_lock is none, governance or compliance."
  }
}

variable "topic_arn" {
  description = "The SNS topic for alerts; null: none."
  type        = string
  default     = null
}

variable "image" {
  description = "The image that deploy/Dockerfile builds."
  type        = string
}

variable "cluster_arn" {
  description = "The ECS cluster that runs the tasks."
  type        = string
}

variable "cpu" {
  description = "Fargate's units of CPU; 1024 is one."
  type        = number
  default     = 1024
}

variable "memory" {
  description = "MiB of memory."
  type        = number
  default     = 4096
}

variable "disk_gib" {
  description = "GiB of disk for work: two parts of each table that is worked on lie there."
  type        = number
  default     = 50
  validation {
    condition     = var.disk_gib >= 21 && var.disk_gib <= 200
    error_message = "Fargate gives 21 to 200 GiB."
  }
}

variable "commands" {
  description = "What runs, when, and where in the network; secrets are ARNs of Secrets Manager by variable."
  type = map(object({
    arguments       = optional(list(string), [])
    schedule        = string
    timezone        = optional(string, "UTC")
    subnets         = list(string)
    security_groups = list(string)
    environment     = optional(map(string), {})
    secrets         = optional(map(string), {})
  }))
  validation {
    condition = alltrue([for command in keys(var.commands) : contains([
      "extract", "load", "run", "clean", "archive-run", "archive-verify", "archive-drill", "archive-expire"
    ], command)])
    error_message = "A command is extract, load, run, clean, or one of el-archive: archive-run, archive-verify, archive-drill, archive-expire."
  }
}
