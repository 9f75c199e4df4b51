"""Notifier's HTTP surface: the inbox, escalations for staff, deliveries for admins."""
