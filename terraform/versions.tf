terraform {
  required_version = ">= 1.9"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 7.30, < 9.0"
    }
    # only for google_project_service_identity
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 7.30, < 9.0"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
  }
}

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = { app = var.name }
}

provider "google-beta" {
  project = var.project
  region  = var.region
}

# Budgets belong to the billing account. With user credentials, the API needs a project for the
# quota of the request, and answers 403 without one.
provider "google" {
  alias                 = "billing"
  project               = var.project
  billing_project       = var.project
  user_project_override = true
}
