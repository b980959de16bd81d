# When what expires in the landing's bucket. A rule has a prefix and cannot leave anything out, so the files, which lie in
# <source>/<table>/<table>/, have a rule for each table: commits, dlt's schemas and the horizon lie beside that folder.
# A bucket takes 1,000 rules.

locals {
  rule = { days = null, noncurrent_days = null, markers = null, upload_days = null }

  lifecycle_rules = concat(
    [
      # What `el clean` deleted, and what was overwritten, can be restored for so long. Then its marker goes as well.
      merge(local.rule, {
        id              = "versions"
        prefix          = "${var.prefix}/"
        noncurrent_days = var.noncurrent_days
        markers         = true
      }),
      merge(local.rule, { id = "uploads", prefix = "${var.prefix}/", upload_days = 7 }),
      merge(local.rule, { id = "records", prefix = "${var.prefix}/_runs/", days = var.record_days }),
    ],
    var.retention_days == null ? [] : flatten([
      for source, tables in var.tables : [
        for table in tables : merge(local.rule, {
          id     = "files of ${source}.${table}"
          prefix = "${var.prefix}/${source}/${table}/${table}/"
          days   = var.retention_days
        })
      ]
    ]),
  )
}
