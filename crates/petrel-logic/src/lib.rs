//! The rules: identity, conversations, messages, receipts, sync. No network, no SQL.
