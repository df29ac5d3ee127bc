// URL of the search function, suggested searches, and what to call the folder or bucket of the
// photos. PROGRESS: {files, waiting}, if this server has them; later in progress.json. The local
// stack and the deployment serve their own version of this file.
export const SEARCH_URL = "http://127.0.0.1:8081";
export const SUGGESTIONS = [];
export const PHOTOS = "";
export const PROGRESS = null;
