// URL of the search function, and suggested searches. The local stack and the deployment serve
// their own version of this file.
export const SEARCH_URL = "http://127.0.0.1:8081";
export const SUGGESTIONS = [];
