"""The worker: visits the sources on schedules and on command."""
