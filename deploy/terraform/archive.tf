# The archive's bucket. It has no lifecycle: what is in it ends by `el-archive expire`, with a certificate, or never.

locals {
  archives = var.archive == null ? {} : { archive = var.archive }
}

resource "aws_s3_bucket" "archive" {
  for_each = local.archives

  bucket = each.value.bucket
  # Can be chosen only when a bucket is made. What is locked, and for how long, is said object by object.
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = each.value.bucket != var.bucket
      error_message = "The archive needs a bucket of its own: the landing's lifecycle deletes versions."
    }
  }
}

resource "aws_s3_bucket_versioning" "archive" {
  for_each = local.archives

  bucket = aws_s3_bucket.archive[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  for_each = local.archives

  bucket                  = aws_s3_bucket.archive[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  for_each = local.archives

  bucket = aws_s3_bucket.archive[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = each.value.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "archive" {
  for_each = local.archives

  bucket = aws_s3_bucket.archive[each.key].id
  policy = templatefile("${path.module}/../iam/archive-bucket.json", merge(local.names, {
    expire_arn = contains(keys(var.commands), "archive-expire") ? aws_iam_role.task["archive-expire"].arn : "arn:aws:iam::000000000000:role/nobody"
  }))

  depends_on = [aws_s3_bucket_public_access_block.archive]
}
