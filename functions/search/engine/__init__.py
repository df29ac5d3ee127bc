"""The search itself: model, index state, embedding, signed URLs and /status, without HTTP.

May import: clipsearch. Errors about a request's values are raised as http.errors.BadRequest.
"""
