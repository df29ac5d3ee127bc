# A budget only warns. max_instances and the limit of attempts limit the bill.

resource "google_billing_budget" "this" {
  provider = google.billing
  count    = var.billing_account != "" ? 1 : 0

  billing_account = var.billing_account
  display_name    = "${var.name} in ${var.project}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }
  amount {
    specified_amount { units = tostring(var.budget) }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content { threshold_percent = threshold_rules.value }
  }
  dynamic "all_updates_rule" {
    for_each = google_monitoring_notification_channel.email
    content { monitoring_notification_channels = [all_updates_rule.value.id] }
  }

  depends_on = [google_project_service.apis]
}
