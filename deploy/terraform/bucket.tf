resource "aws_s3_bucket" "landing" {
  bucket = var.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket                  = aws_s3_bucket.landing.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "landing" {
  bucket = aws_s3_bucket.landing.id
  policy = templatefile("${path.module}/../iam/bucket.json", merge(local.names, {
    janitor_arn = contains(keys(var.commands), "clean") ? aws_iam_role.task["clean"].arn : "arn:aws:iam::000000000000:role/nobody"
  }))

  depends_on = [aws_s3_bucket_public_access_block.landing]
}

resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  dynamic "rule" {
    for_each = local.lifecycle_rules

    content {
      id     = rule.value.id
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      dynamic "expiration" {
        for_each = rule.value.days == null && rule.value.markers == null ? [] : [1]

        content {
          days                         = rule.value.days
          expired_object_delete_marker = rule.value.markers
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = rule.value.noncurrent_days == null ? [] : [1]

        content {
          noncurrent_days = rule.value.noncurrent_days
        }
      }

      dynamic "abort_incomplete_multipart_upload" {
        for_each = rule.value.upload_days == null ? [] : [1]

        content {
          days_after_initiation = rule.value.upload_days
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.landing]
}
