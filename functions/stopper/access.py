"""Who may call a service of Cloud Run.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/setIamPolicy
"""

from __future__ import annotations

import logging
from typing import Any

from clipsearch.errors import ClipsearchError
from clipsearch.google_session import authorized_session

API = "https://run.googleapis.com/v2"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
INVOKER = "roles/run.invoker"
# A policy is read and written; somebody may write between (409). Each attempt reads it again.
ATTEMPTS = 5
TRIED_AGAIN = 3
TIMEOUT_S = (5.0, 20.0)  # to connect, and for the answer
CONFLICT = 409
# Policies of lower versions cannot show conditions, and writing one back would lose them.
POLICY_VERSION = 3

log = logging.getLogger("clipsearch")


class AccessError(ClipsearchError):
    """Cloud Run refuses to show or change a policy."""


class Service:
    """A service of Cloud Run, projects/PROJECT/locations/REGION/services/NAME."""

    def __init__(self, name: str) -> None:
        self.name = name

    def close(self) -> list[str]:
        """Take away the role of all who may call the service, and return them, sorted.

        Empty if nobody may. Other roles stay. Raises AccessError, OSError and GoogleAuthError.
        """
        removed: set[str] = set()
        with authorized_session(SCOPE, TRIED_AGAIN) as session:
            for _ in range(ATTEMPTS):
                policy = self._asked(session.get, "getIamPolicy", params=_VERSION)
                bindings = policy.get("bindings", [])
                kept = [binding for binding in bindings if binding.get("role") != INVOKER]
                if len(kept) == len(bindings):
                    return sorted(removed)  # not empty if only the answer to our change was lost
                removed = {m for b in bindings if b not in kept for m in b.get("members", [])}
                # with its etag: only if it is still the policy that was read
                changed = {**policy, "bindings": kept}
                if self._asked(session.post, "setIamPolicy", json={"policy": changed}) is not None:
                    return sorted(removed)
                log.info("the policy of %s has changed meanwhile", self.name)
        raise AccessError(f"the policy of {self.name} changed {ATTEMPTS} times meanwhile")

    def _asked(self, send: Any, method: str, **content: Any) -> Any:
        """The answer; None for a conflict."""
        with send(f"{API}/{self.name}:{method}", timeout=TIMEOUT_S, **content) as answer:
            if answer.status_code == CONFLICT:
                return None
            if not answer.ok:
                raise AccessError(f"{method} of {self.name}: {answer.status_code} {answer.text}")
            return answer.json()


_VERSION = {"options.requestedPolicyVersion": POLICY_VERSION}
