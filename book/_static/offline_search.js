// Search results come with the beginning of each page, which the browser has to fetch. It refuses
// to for pages that were opened as files, so there the results are titles only.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
