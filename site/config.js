// Where the search function is, and what to suggest. The local stack and the deployment serve
// their own version.
export const SEARCH_URL = "http://127.0.0.1:8081";
export const SUGGESTIONS = [];
