"""What a workflow uses to have records stored: the requester, its activities and a plugin."""
