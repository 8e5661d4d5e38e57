"""What a workflow uses to have records stored: a requester, its activities and a plugin."""
