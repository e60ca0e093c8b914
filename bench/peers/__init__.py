"""What we are measured against: small programs that do the least that the job needs."""
