"""What several commands share: errors, exit codes, addresses of this machine, processes."""
