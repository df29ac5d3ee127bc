# A budget only warns, unless stop_at_budget is true (stopper.tf). max_instances and the limit of
# attempts limit the bill.

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
    for_each = var.email != "" || var.stop_at_budget ? [true] : []
    content {
      monitoring_notification_channels = google_monitoring_notification_channel.email[*].id
      # Cloud Billing gives itself the role to publish there
      pubsub_topic = one(google_pubsub_topic.budget[*].id)
    }
  }

  depends_on = [time_sleep.apis]
}
